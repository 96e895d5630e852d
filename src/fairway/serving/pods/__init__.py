"""The pod of each component: the runtime's containers and the user's as one template, with the model's place. Pure."""
