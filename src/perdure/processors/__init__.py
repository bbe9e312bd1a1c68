"""What jobs do. A processor is a function with a name; here are the decorator, the registry and the built-ins."""
