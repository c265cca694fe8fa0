"""Tells people what the calendar calls for, and takes back orders and offers whose time is over.

Triggered by an hourly timer, because it is nine in the morning somewhere at every hour. Notices leave through the
outbox for the MNS queue ``notices``.
"""

from crossport.entrypoints.dispatch import watch_the_calendar
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("deadlines", watch_the_calendar, pokes=True)
