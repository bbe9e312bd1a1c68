"""What is said on the wire: requests and answers as pydantic models. Shape and limits, nothing else."""
