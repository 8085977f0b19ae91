"""`python -m localcloud`."""

import sys

if not __package__:
    sys.exit("localcloud: start it as `python -m localcloud`, in the folder that holds localcloud/")

from localcloud.cli import main

sys.exit(main())
