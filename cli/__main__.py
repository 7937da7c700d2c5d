import sys
from pathlib import Path

# `python -m` puts the working folder first on the path: a user's own errors.py would be imported.
if sys.path[0] == str(Path.cwd()):
    sys.path[0] = str(Path(__file__).parents[1])

from cli.main import main

main()
