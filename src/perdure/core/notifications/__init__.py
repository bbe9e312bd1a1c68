"""How a job's end becomes a telling: events, the dispatcher, rendering and the providers."""
