"""The stand-in for azureml: what a step's script sees of Azure ML on this machine."""
