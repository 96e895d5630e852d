"""From components to the objects that serve them: Deployments, Services, HTTPRoutes. Pure."""
