class InputError(ValueError):
    """A mistake in what the user gave, told in one line.

    The message names the input, what was expected and the way out. The command line prints it
    without a traceback and exits with status 2.
    """
