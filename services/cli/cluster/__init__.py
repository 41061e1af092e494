"""What is wrong with a cluster that Crossroads runs on, and what to do about it."""
