"""The wire form of Kubernetes objects, pure: names, kinds, selectors, patches, schemas, conditions, errors.

Objects travel as plain dicts (`Object`), spelled as on the wire. An object that came from a client or a
mirror is shared: read it, never change it; build a new one or a patch instead.
"""
