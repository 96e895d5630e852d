"""Where bytes come from: one file for each kind of place, behind one small protocol (`source`)."""
