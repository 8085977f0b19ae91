"""vLLM, built from its source at a pinned tag.

plan.py            what is built, and the name under which it is kept
build.py           the order of it all, and the one entrance
tools.py           the programs that are run, with their environment
toolchain.py       compilers: found, installed with apt, or missed in one line
pytorch.py         the torch that vLLM is built with
clone.py           sources, and where a version has its files
compilation.py     a wheel out of sources, with progress, and why there is none
precompiled.py     the compiled parts of a release, for the way that compiles nothing
wheels.py          the shelf of kept wheels
"""
