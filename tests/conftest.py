"""What all tests share: how much Hypothesis tries."""

from hypothesis import settings

# `make nightly` chooses the second with --hypothesis-profile, which wins over what is loaded here.
settings.register_profile("change", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile("change")
