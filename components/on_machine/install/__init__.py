"""vLLM, installed into an environment of its own and proven.

__main__.py        the order of it all
request.py         what is asked for; words.py: how command lines are read
choose.py          what that comes to on this machine, and the name of the environment
disk.py            whether there is room
environment.py     uv, the environment, its packages
source/            vLLM built from its source
prove.py           run by the environment's own Python; proof.py: what came of it
keep.py            which environments stay, and the links by which they are found
"""
