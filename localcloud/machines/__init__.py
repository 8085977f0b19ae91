"""The machines behind the instances: what an instance is once the API has said yes."""
