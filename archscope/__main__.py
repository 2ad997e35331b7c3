"""``python -m archscope``."""

from archscope.cli import main

if __name__ == "__main__":
    main()
