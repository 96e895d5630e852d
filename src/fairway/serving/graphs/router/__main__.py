"""The entry point, the same whether it is executed or forked from a warm interpreter."""

from fairway.serving.graphs.router import program

if __name__ == "__main__":
    raise SystemExit(program.main())
