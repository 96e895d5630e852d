"""The entry point of the puller."""

from fairway.serving.models.puller import program

if __name__ == "__main__":
    raise SystemExit(program.main())
