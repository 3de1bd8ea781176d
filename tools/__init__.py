"""The author's desk: what opens, makes and checks the pages of the book."""
