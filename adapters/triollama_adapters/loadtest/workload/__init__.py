"""What is asked: prompts, lengths, conversations, mixes. Pure: one seed, one text."""
