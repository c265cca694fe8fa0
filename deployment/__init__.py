"""Packages for Function Compute: a folder and a zip for each function, the same bytes from the same sources.

``make package`` runs ``deployment.package``, ``make lock`` runs ``deployment.lock``. Nothing here is deployed.
"""
