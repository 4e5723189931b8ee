"""One module a scenario: what is run, how often, and beside what. How a figure is taken stands one folder up."""
