"""Do transformations find clusters that pixels confuse? One case a module."""
