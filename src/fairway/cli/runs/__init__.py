"""`fairway runs`: look into runs, and act on them. `reading`, `acting` and `debugging` hold the verbs."""

from fairway.cli.nouns import Noun
from fairway.cli.runs import acting, debugging, reading

NOUN = Noun({**reading.VERBS, **acting.VERBS, **debugging.VERBS})
