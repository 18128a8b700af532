"""What the command of ezmsg 3 did, one module for each kind; `ezmsg.core.command` is the way in."""
