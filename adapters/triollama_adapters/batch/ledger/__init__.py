"""What a batch keeps: outputs that only grow, and the journal that says what is in them."""
