// Requests to the front door: JSON with errors that are sentences, and streams of lines.

export class Failure extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(String(error), 0);
}

export interface Options {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal | undefined;
}

export async function json<T>(path: string, options: Options = {}): Promise<T> {
  const answer = await open(path, options);
  const text = await answer.text();
  return (text ? JSON.parse(text) : {}) as T;
}

/** The answer itself, once it is known to be good. */
export async function open(path: string, options: Options = {}): Promise<Response> {
  const answer = await send(path, options);
  if (answer.ok) return answer;
  if (answer.status === 401) leaveForLogin();
  throw new Failure(await complaint(answer), answer.status);
}

/** The answer, good or bad; raises only when there is none. */
export async function send(path: string, { method = "GET", body, signal }: Options): Promise<Response> {
  const request: RequestInit = { method, credentials: "same-origin" };
  if (signal) request.signal = signal;
  if (body !== undefined) {
    request.body = typeof body === "string" ? body : JSON.stringify(body);
    request.headers = { "Content-Type": "application/json" };
  }
  try {
    return await fetch(path, request);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure("Fairway does not answer. Is it running? `fairway status` tells.", 0);
  }
}

/** Calls `take` with each piece of text as it comes, until the end or the abort. */
export async function follow(path: string, signal: AbortSignal, take: (text: string) => void): Promise<void> {
  const answer = await open(path, { signal });
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    take(value);
  }
}

/** Calls `take` with each line, decoded as JSON. */
export async function followLines<T>(path: string, signal: AbortSignal, take: (value: T) => void): Promise<void> {
  let rest = "";
  await follow(path, signal, (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line) take(JSON.parse(line) as T);
  });
}

async function complaint(answer: Response): Promise<string> {
  const text = await answer.text();
  try {
    const body = JSON.parse(text) as { message?: string; error?: unknown };
    if (body.message) return body.message;
    if (typeof body.error === "string") return body.error;
  } catch {
    // Not JSON: the text itself is what we have.
  }
  return text.trim().slice(0, 500) || `The server answered ${answer.status} ${answer.statusText}.`;
}

function leaveForLogin(): void {
  // Browsers carry the hash through the redirect after login, and so back to this page.
  location.assign(`/login${location.hash}`);
}
