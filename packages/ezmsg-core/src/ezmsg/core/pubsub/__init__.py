"""Publishers, subscribers, and the channels between them."""
