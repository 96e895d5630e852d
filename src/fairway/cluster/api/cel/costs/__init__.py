"""What an expression may cost at worst, told from the sizes that a schema allows, before any object is there.

    schema -> extents        checked tree + extents -> estimating -> a number

`extents` says how long each text, list and map may be; `estimating` walks the checked tree, with the prices of
`functions` and the arithmetic of `sizes`. The numbers are upstream's to the unit, odd corners included: authors tune
their schemas to them. What an expression did cost, once it runs, is counted by the closures that `building` makes.
"""
