"""Why a job or the server failed, in one line."""
