"""Results of a lab as text: tables for people, and the files of graders. Pure functions of a result.

What a student may see names the row that is wrong, what is wrong in it and the reason, never the right value;
of a question that is hidden only whether it is right. Submissions hold what someone else wrote: every text is
made one line without control characters before it goes into any format, and escaped as the format wants it.

While a part could not be judged no format hands over a score: a grader would take the missing part for zero.
"""
