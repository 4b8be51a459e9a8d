"""Lab exercises: a student predicts, the machine tells the truth, and the answer is graded.

    exercise (TOML) ──> variant (secret, student) ──> folder: files, answer sheet, README
                              │                                     │ filled in
                              ▼                                     ▼
    the kernel ──> evidence ──> truth: rows of cells  ──> grading <── answer: rows of cells

An exercise is data (`exercise.py`, `ready/`). What its files are for one student is a function of a secret
and the student's name (`draw.py`, `programs/`). A kind of question (`kinds/`) says what evidence it needs,
what the truth is in it and how an answer is read; `grading.py` compares the two and opens nothing. The truth
is the live process, or a recording of it (`evidence.py`); where there is neither the verdict is "could not
judge".
"""
