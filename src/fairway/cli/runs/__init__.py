"""`fairway runs`: look into runs, and act on them. `reading` and `acting` hold the verbs."""

from fairway.cli.nouns import Noun
from fairway.cli.runs import acting, reading

NOUN = Noun({**reading.VERBS, **acting.VERBS})
