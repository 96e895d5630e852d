"""Programs of others that the API asks: how they are described (`checks`) and called (`calling`).

Admission asks them whether something may be written, custom resources how one version becomes another; both come
before, and know what is asked. Nothing here does.
"""
