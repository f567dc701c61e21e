"""Adapters: put into nets by peft, read from them, and written as other programs read them."""
