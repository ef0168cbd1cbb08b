"""The version of everything that can change a reward; part of every fingerprint."""

VERSION = "0.1.0"
