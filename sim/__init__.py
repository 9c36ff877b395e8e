"""Running a schedule, the results, and the witnesses that hold the models honest."""
