"""The entry point of the init container."""

from fairway.serving.storage import program

if __name__ == "__main__":
    raise SystemExit(program.main())
