"""Crossport: the partner's side of Alibaba Cloud Express Connect shared ports, run by software.

``domain`` decides, ``application`` says what a use case does, ``adapters`` talk to the world, ``entrypoints`` and
``cli`` let the world in. Arrows point one way and an import contract holds them to it.
"""
