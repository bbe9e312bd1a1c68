"""The verb ``doctor``: looks at the set-up from where it is asked, without a server, and says what to mend."""
