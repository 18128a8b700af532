"""``ezmsg topic echo`` and ``ezmsg topic pub``: a message shown, and a message typed. `verbs` is the way in."""
