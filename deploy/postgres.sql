-- A database for centralcloud and one for each instance of compose.yaml; their daemons make the tables.
-- The server runs this once, when its volume is empty.
CREATE DATABASE centralcloud;
CREATE DATABASE instance_dev_laptop_1;
CREATE DATABASE instance_ci_runner_1;
CREATE DATABASE instance_gpu_trainer_1;
