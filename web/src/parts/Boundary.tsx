// What stands in for a page that fails while it is drawn, so that the side bar and the other pages stay.

import { Component, type ReactNode } from "react";

import { asFailure, Failure } from "../api/http";
import { Complaint } from "./pieces";

interface Props {
  /** Where we are: another page is tried anew. */
  path: string;
  children: ReactNode;
}

export class Boundary extends Component<Props, { failure: Failure | undefined }> {
  override state: { failure: Failure | undefined } = { failure: undefined };

  static getDerivedStateFromError(error: unknown): { failure: Failure } {
    const { message } = asFailure(error);
    return { failure: new Failure(`This page cannot be shown, which is a mistake of the dashboard: ${message}`, 0) };
  }

  override componentDidUpdate(before: Props): void {
    if (before.path !== this.props.path && this.state.failure) this.setState({ failure: undefined });
  }

  override render(): ReactNode {
    const { failure } = this.state;
    return failure ? <Complaint failure={failure} retry={() => this.setState({ failure: undefined })} /> : this.props.children;
  }
}
