"""Models as objects of their own: TrainedModels, which one server loads side by side.

`trained` decides what the server is to have, `controller` writes it into the ConfigMap of the service and says what
became of it, and `puller`, a container beside the server, fetches and has it load what the ConfigMap lists.
"""
