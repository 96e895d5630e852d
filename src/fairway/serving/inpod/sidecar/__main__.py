"""The entry point, the same whether it is executed or forked from a warm interpreter."""

from fairway.serving.inpod.sidecar import program

if __name__ == "__main__":
    raise SystemExit(program.main())
