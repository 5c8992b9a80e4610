"""The commands, a module for each kind of user. They sit above the core and may use all of it; `cli` assembles them."""
