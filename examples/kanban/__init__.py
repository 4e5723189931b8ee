"""The kanban board: a project board whose pages follow every committed change. Holds no code itself."""
