"""Fault campaigns: real servers killed and cut, real clients that write down what they saw, and the verdict."""
