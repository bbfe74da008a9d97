"""Options, timing, memory, tables and results of every benchmark."""
