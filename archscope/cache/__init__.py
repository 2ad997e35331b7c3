"""What single commands printed, kept so that the same question is answered without torch.

::

    options, versions, environment -> key -> Entry: what was printed, and the files it was read from
                                              | valid while those files are as they were
                                              v
                                          printed again, byte for byte

An entry is the text itself and not the numbers behind it: whatever shapes the text is part of the
key (``conditions``), so nothing needs to be drawn again, and rich, numpy and pandas stay unloaded
too. What a run read is watched while it runs (``reads``), and a run that did anything whose
repetition cannot be foreseen, such as starting a program, is not kept. Entries are JSON
(``entries``); nothing in them is ever executed.
"""
