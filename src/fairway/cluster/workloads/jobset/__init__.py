"""JobSets (jobset.x-k8s.io/v1alpha2): Jobs that start, fail and succeed together, as upstream's controller keeps them.

controller (reads, applies) asks render (what is next), which asks runs (how its Jobs stand), failure and success
(policies) and children (the Jobs, the Service, the claims). `kinds` has the definition. What a client writes is
completed and judged in the API (`admission.jobsets`), where upstream has webhooks. On somebody else's cluster none of
this runs: JobSet is installed there by who runs it.
"""
